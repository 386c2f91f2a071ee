package main

import (
	"fmt"
	"time"
)

var (
	firstNames = []string{"Zoë", "José", "Łukasz", "Anaïs", "Björn", "Chloé", "Дмитрий", "Élodie", "François", "Greta", "Håkon", "Inès", "Jürgen", "Katarzyna", "Lea", "Māris", "Noor", "Óscar", "Priya", "Renée", "Sinéad", "太郎", "Ulla", "Vítor", "Wei", "Xavier", "Yasmin", "Žofie", "지우", ""}
	lastNames  = []string{"Müller", "O'Neill", "García", "Nguyễn", "Lefèvre", "Kowalski", "Ångström", "D'Angelo", "Smith-Jones", "van der Berg", "Çelik", "Иванов", "山田", "김", "Ferreira", "Schäfer", "Núñez", "Æbelø", "Dvořák", "Brown"}
	streets    = []string{"rue de l'Église", "Hauptstraße", "Calle Mayor", "Elm Street", "ulica Święty Marcin", "via Roma", "Main St", "本町", "Rua Áurea", "Storgatan"}
	services   = []string{"", "repair", "repair,trade-in", "express", "trade-in,pick-up point", "repair,trade-in,express,pick-up point,warranty+", "warranty+"}
	erpNames   = []string{"RECONDITIONNÉ S.A.", "GERÄTE GmbH", "MÓVIL S.L.", "50 € SHOP", "Ænder", "PLAIN LTD", "Œuvre"}
)

// people lists the tables of those who sell and buy.
func people(s size) []table {
	return []table{
		{"sellers", "id #uuid country_code name erp_name services opens_at closes_at commission rating is_active created_at updated_at", s.sellers, emitSeller},
		{"seller_users", "id seller_id email role #password_hash last_login_at", s.sellers, emitSellerUsers},
		{"customers", "id #uuid email first_name last_name country_code born_on newsletter preferences created_at updated_at", s.customers, emitCustomer},
		{"addresses", "id customer_id kind street city postcode country_code latitude longitude", s.customers, emitAddress},
		{"carts", "#id customer_id items expires_at", s.carts, func(r *row, d *dice, p int) int {
			r.hex(d.bytes(16))
			if d.percent(40) {
				r.null()
			} else {
				r.int(1 + d.below(s.customers))
			}
			r.str(fmt.Sprintf(`[{"listing": %d, "qty": %d, "price": %d.%d}, {"listing": %d, "gift": null}]`, 1+d.below(s.listings), d.between(1, 3), d.between(9, 900), d.between(1, 9), 1+d.below(s.listings)))
			r.time(d.moment(), secondLayout)
			r.end()
			return 1
		}},
		{"audit_log", "id actor action #address payload at", s.audit, emitAudit},
	}
}

func emitSeller(r *row, d *dice, p int) int {
	created := d.moment()
	r.int(p)
	r.hex(d.bytes(16))
	r.str(countries[d.below(len(countries))].code)
	r.str(d.of(lastNames), " ", d.of([]string{"& Söhne", "Frères", "Ltd", "Recommerce", "株式会社", "🔧"}))
	r.str(d.of(erpNames))
	r.str(d.of(services))
	if d.percent(30) {
		r.null()
		r.null()
	} else {
		r.str(fmt.Sprintf("%02d:%02d:00", d.between(6, 10), d.below(4)*15))
		r.str(fmt.Sprintf("%02d:30:00", d.between(16, 23)))
	}
	r.cents(d.between(400, 1800))
	if d.percent(20) {
		r.null()
	} else {
		r.float(float64(d.between(10_000, 50_000))/10_000, 4)
	}
	r.bool(d.percent(92))
	r.time(created, milliLayout)
	r.time(created.Add(time.Duration(d.below(9000))*time.Hour), secondLayout)
	r.end()
	return 1
}

var roles = []string{"owner", "manager", "support", "read only"}

func emitSellerUsers(r *row, d *dice, p int) int {
	n := d.between(1, 4)
	for i := range n {
		r.int(p*4 + i - 3)
		r.int(p)
		r.str(fmt.Sprintf("user%d.%d@seller.example", p, i))
		r.str(roles[i])
		r.hex(d.bytes(60))
		if d.percent(10) {
			r.null()
		} else {
			r.time(d.moment(), secondLayout)
		}
		r.end()
	}
	return n
}

func emitCustomer(r *row, d *dice, p int) int {
	created := d.moment()
	r.int(p)
	r.hex(d.bytes(16))
	r.str(fmt.Sprintf("customer%d@%s", p, d.of([]string{"mail.example", "bücher.example", "post.example"})))
	r.str(d.of(firstNames))
	r.str(d.of(lastNames))
	r.str(customerCountry(p).code)
	if d.percent(35) {
		r.null()
	} else {
		r.time(time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, d.below(28_000)), dayLayout)
	}
	r.bool(d.percent(40))
	if d.percent(50) {
		r.null()
	} else {
		r.str(fmt.Sprintf(`{"lang": "%s", "theme": "%s", "sizes": [%d, %d.5], "opt_in": %t}`, d.of([]string{"fr", "de", "ja", "en"}), d.of(colours), d.below(9), d.below(50), d.percent(50)))
	}
	r.time(created, milliLayout)
	r.time(created.Add(time.Duration(d.below(5000))*time.Hour), secondLayout)
	r.end()
	return 1
}

// customerCountry is a function of the customer alone, so that the tables of
// addresses and orders agree with the table of customers.
func customerCountry(p int) country { return countries[(p*7+p/11)%len(countries)] }

func emitAddress(r *row, d *dice, p int) int {
	c := customerCountry(p)
	r.int(p)
	r.int(p)
	r.str(d.of([]string{"home", "home", "work", "pick-up"}))
	r.str(fmt.Sprint(d.between(1, 240)), " ", d.of(streets))
	r.str(d.of(c.cities))
	r.str(fmt.Sprintf("%05d", d.below(100_000)))
	r.str(c.code)
	if d.percent(25) {
		r.null()
		r.null()
	} else {
		r.float(float64(d.between(-900_000_000, 900_000_000))/1e7, 7)
		r.float(float64(d.between(-1_800_000_000, 1_800_000_000))/1e7, 7)
	}
	r.end()
	return 1
}

var actions = []string{"login", "price.change", "order.cancel", "payout.approve", "user.invite", "export"}

func emitAudit(r *row, d *dice, p int) int {
	r.int(p)
	r.str(fmt.Sprintf("user%d.0@seller.example", d.between(1, 500)))
	r.str(d.of(actions))
	switch {
	case d.percent(10):
		r.null()
	case d.percent(30):
		r.hex(d.bytes(16))
	default:
		r.hex(d.bytes(4))
	}
	if d.percent(30) {
		r.null()
	} else {
		r.str("before=", d.of(remarks), "\nafter=", d.of(remarks))
	}
	r.time(d.moment().Add(time.Duration(d.below(1000))*time.Microsecond), microLayout)
	r.end()
	return 1
}
