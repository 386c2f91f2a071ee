package main

import (
	"fmt"
	"time"
)

var (
	statuses = []string{"new", "paid", "paid", "shipped", "shipped", "delivered", "delivered", "delivered", "delivered", "cancelled", "returned"}
	notes    = []string{"Leave at the door", "Sonnez deux fois, merci 🙏", "cadeau d'anniversaire 🎂", "Bitte klingeln", "C:\\gate code \"42\"", "  spaces kept  ", "2e étage à gauche", "置き配希望"}
	methods  = []string{"card", "card", "card", "paypal", "klarna", "bank transfer", "gift card"}
	carriers = []string{"La Poste", "DHL", "UPS", "日本郵便", "Correos"}
	stages   = []string{"accepted", "hub", "in_transit", "delivered"}
)

// trade lists the tables that grow with every order.
func trade(s size) []table {
	return []table{
		{"orders", "id order_no customer_id address_id status currency_code total shipping is_gift note created_at paid_at updated_at", s.orders, func(r *row, d *dice, p int) int {
			return emitOrder(r, d, p, s)
		}},
		{"order_lines", "order_id line_no listing_id quantity unit_price imei", s.orders, func(r *row, d *dice, p int) int {
			return emitLines(r, d, p, s)
		}},
		{"payments", "id order_id method amount #token risk_score captured_at", s.orders, func(r *row, d *dice, p int) int {
			r.int(p)
			r.int(p)
			r.str(d.of(methods))
			r.cents(d.between(900, 300_000))
			r.hex(d.bytes(d.between(8, 32)))
			r.float(float64(d.below(1<<24))/float64(1<<24), 9)
			r.time(d.moment(), milliLayout)
			r.end()
			return 1
		}},
		{"refunds", "id payment_id amount reason created_at", s.orders / 25, func(r *row, d *dice, p int) int {
			r.int(p)
			r.int(p * 25)
			r.cents(d.between(100, 90_000))
			if d.percent(30) {
				r.null()
			} else {
				r.str(d.of(remarks))
			}
			r.time(d.moment(), secondLayout)
			r.end()
			return 1
		}},
		{"shipments", "id order_id carrier tracking weight_kg shipped_at transit", s.orders, emitShipment},
		{"shipment_events", "shipment_id seq code place happened_at", s.orders, emitEvents},
		{"reviews", "id order_id listing_id stars body helpful created_at", s.orders / 5, func(r *row, d *dice, p int) int {
			r.int(p)
			r.int(p * 5)
			r.int(1 + d.below(s.listings))
			r.int(d.between(1, 5))
			if d.percent(25) {
				r.null()
			} else {
				r.str(d.of([]string{"👍🏽", "Parfait ! ", "Sehr gut. ", "とても良い。", "meh…", ""}), d.of(remarks))
			}
			r.int(d.between(-5, 90))
			r.time(d.moment(), secondLayout)
			r.end()
			return 1
		}},
	}
}

func emitOrder(r *row, d *dice, p int, s size) int {
	created := d.moment()
	customer := 1 + d.below(s.customers)
	status := d.of(statuses)
	r.int(p)
	r.str(fmt.Sprintf("BM-%010d", p))
	if d.percent(2) {
		r.null()
		r.null()
	} else {
		r.int(customer)
		r.int(customer)
	}
	r.str(status)
	r.str(customerCountry(customer).currency)
	r.cents(d.between(900, 300_000))
	r.cents(d.below(2500))
	r.bool(d.percent(6))
	if d.percent(80) {
		r.null()
	} else {
		r.str(d.of(notes))
	}
	r.time(created, milliLayout)
	paid := created.Add(time.Duration(d.below(7200)) * time.Second)
	if status == "new" || status == "cancelled" {
		r.null()
	} else {
		r.time(paid, secondLayout)
	}
	r.time(paid, secondLayout)
	r.end()
	return 1
}

func emitLines(r *row, d *dice, p int, s size) int {
	n := 1
	if d.percent(30) {
		n = d.between(2, 3)
	}
	for i := range n {
		r.int(p)
		r.int(i + 1)
		r.int(1 + d.below(s.listings))
		r.int(d.between(1, 2))
		r.cents(d.between(900, 240_000))
		if d.percent(40) {
			r.null()
		} else {
			r.str(fmt.Sprintf("35%013d", d.below(1e13)))
		}
		r.end()
	}
	return n
}

func emitShipment(r *row, d *dice, p int) int {
	r.int(p)
	r.int(p)
	r.str(d.of(carriers))
	r.str(fmt.Sprintf("TR%012dFR", d.below(1e12)))
	r.float(float64(d.between(80, 9000))/1000, 3)
	r.time(d.moment(), secondLayout)
	if d.percent(20) {
		r.null()
	} else {
		r.str(fmt.Sprintf("%02d:%02d:%02d", d.between(5, 400), d.below(60), d.below(60)))
	}
	r.end()
	return 1
}

func emitEvents(r *row, d *dice, p int) int {
	n, at := d.between(1, 2), d.moment()
	for i := range n {
		r.int(p)
		r.int(i + 1)
		r.str(stages[i*3])
		if d.percent(20) {
			r.null()
		} else {
			c := countries[d.below(len(countries))]
			r.str(d.of(c.cities))
		}
		r.time(at, milliLayout)
		r.end()
		at = at.Add(time.Duration(d.between(3_600_000, 200_000_000)) * time.Millisecond)
	}
	return n
}
