package main

import (
	"fmt"
	"strings"
	"time"
)

// country is a row of countries with what other tables derive from it.
type country struct {
	code, name, currency, vat string
	region                    int
	cities                    []string
}

var countries = []country{
	{"FR", "France", "EUR", "20.00", 1, []string{"Paris", "Bordeaux", "Besançon", "Saint-Étienne"}},
	{"DE", "Deutschland", "EUR", "19.00", 1, []string{"München", "Köln", "Berlin", "Düsseldorf"}},
	{"ES", "España", "EUR", "21.00", 1, []string{"Málaga", "A Coruña", "Madrid"}},
	{"IT", "Italia", "EUR", "22.00", 1, []string{"Torino", "Forlì", "Napoli"}},
	{"PT", "Portugal", "EUR", "23.00", 1, []string{"Lisboa", "Évora", "Guimarães"}},
	{"SE", "Sverige", "SEK", "25.00", 1, []string{"Malmö", "Göteborg", "Umeå"}},
	{"PL", "Polska", "PLN", "23.00", 1, []string{"Łódź", "Gdańsk", "Kraków"}},
	{"GB", "United Kingdom", "GBP", "20.00", 1, []string{"Leeds", "Bristol", "Stoke-on-Trent"}},
	{"GR", "Ελλάδα", "EUR", "24.00", 1, []string{"Αθήνα", "Πάτρα"}},
	{"US", "United States", "USD", "0.00", 2, []string{"Portland", "O'Fallon", "Austin", "Cañon City"}},
	{"CA", "Canada", "CAD", "5.00", 2, []string{"Montréal", "Québec", "Halifax"}},
	{"JP", "日本", "JPY", "10.00", 3, []string{"東京", "大阪市", "札幌市"}},
	{"KR", "대한민국", "KRW", "10.00", 3, []string{"서울", "부산"}},
	{"AU", "Australia", "AUD", "10.00", 3, []string{"Sydney", "Coober Pedy"}},
}

var currencies = [][3]string{
	{"EUR", "Euro", "€"},
	{"USD", "US dollar", "$"},
	{"GBP", "Pound sterling", "£"},
	{"JPY", "円", "¥"},
	{"KRW", "대한민국 원", "₩"},
	{"SEK", "Svensk krona", "kr"},
	{"PLN", "Złoty", "zł"},
	{"CAD", "Dollar canadien", "CA$"},
	{"AUD", "Australian dollar", "A$"},
}

var brandNames = []string{"Aurea", "Bœuf & Fils", "Céleste", "Dømi", "Ekko", "Fjäll", "Galène", "Haru 春", "Ibex", "Jörmun", "Kappa κ", "Lumen", "Měsíc", "Nimbus", "Ōsaka Denki", "Pico", "Quartz", "Rêve", "Sól", "Tundra", "Ümlaut", "Vela", "Wattle", "Xylo", "Yūgen", "Zażółć"}

var categoryNames = []string{"Phones", "Tablets", "Laptops", "Watches", "Consoles", "Cameras", "Headphones", "Household 🏠"}

var gradeRows = [][3]string{{"A", "Like new", "24"}, {"B", "Very good", "12"}, {"C", "Good: signs of use", "12"}, {"D", "For parts", "0"}}

// regionRows are code, name and first day, in the order of their ids.
var regionRows = [][3]string{{"eu", "Europe", "2016-03-01"}, {"na", "North America", "2018-09-15"}, {"ap", "Asia-Pacific", "2021-02-28"}}

// catalogue lists the tables of what is for sale and in which money.
func catalogue(s size) []table {
	days := 5 * 365
	return []table{
		{"currencies", "code name symbol minor_units", len(currencies), func(r *row, _ *dice, p int) int {
			c := currencies[p-1]
			r.str(c[0])
			r.str(c[1])
			r.str(c[2])
			if c[0] == "JPY" || c[0] == "KRW" {
				r.int(0)
			} else {
				r.int(2)
			}
			r.end()
			return 1
		}},
		{"regions", "id code name launched_on", len(regionRows), func(r *row, _ *dice, p int) int {
			r.int(p)
			for _, v := range regionRows[p-1] {
				r.str(v)
			}
			r.end()
			return 1
		}},
		{"countries", "code region_id currency_code name vat_rate", len(countries), func(r *row, _ *dice, p int) int {
			c := countries[p-1]
			r.str(c.code)
			r.int(c.region)
			r.str(c.currency)
			r.str(c.name)
			r.str(c.vat)
			r.end()
			return 1
		}},
		{"exchange_rates", "currency_code day rate", len(currencies), func(r *row, d *dice, p int) int {
			rate := float64(d.between(50, 20_000)) / 100
			for day := range days {
				rate *= 1 + float64(d.between(-400, 400))/100_000
				r.str(currencies[p-1][0])
				r.time(opening.AddDate(0, 0, day), dayLayout)
				r.float(rate, 8)
				r.end()
			}
			return days
		}},
		{"brands", "id name slug", len(brandNames), func(r *row, _ *dice, p int) int {
			r.int(p)
			r.str(brandNames[p-1])
			r.str(fmt.Sprintf("brand-%02d", p))
			r.end()
			return 1
		}},
		{"categories", "id parent_id name position", len(categoryNames) * 6, emitCategory},
		{"device_models", "id brand_id category_id name released specs screen_inches weight_grams ?battery_replaceable", s.models, emitModel},
		{"listing_grades", "code label warranty_months", len(gradeRows), func(r *row, _ *dice, p int) int {
			for _, v := range gradeRows[p-1] {
				r.str(v)
			}
			r.end()
			return 1
		}},
		{"listings", "id seller_id model_id grade title description price currency_code stock state created_at updated_at", s.listings, func(r *row, d *dice, p int) int {
			return emitListing(r, d, p, s)
		}},
		{"inventory", "listing_id warehouse on_hand reserved counted_on", s.listings, emitInventory},
		{"price_history", "listing_id changed_at old_price new_price", s.listings, emitPrices},
	}
}

// emitCategory makes one root per name, followed by its five children.
func emitCategory(r *row, d *dice, p int) int {
	root := (p-1)/6*6 + 1
	r.int(p)
	if p == root {
		r.null()
		r.str(categoryNames[(p-1)/6])
	} else {
		r.int(root)
		r.str(categoryNames[(p-1)/6], " · ", d.of(adjectives))
	}
	r.int((p - 1) % 6)
	r.end()
	return 1
}

var adjectives = []string{"compact", "rugged", "refurbished", "très léger", "größer", "vintage", "pro", "mini", "5G", "naïve", "学生", "🔋 long life"}

func emitModel(r *row, d *dice, p int) int {
	r.int(p)
	r.int(1 + p%len(brandNames))
	if d.percent(4) {
		r.null()
	} else {
		r.int(1 + d.below(len(categoryNames)*6))
	}
	r.str(fmt.Sprintf("%s %d", strings.ToUpper(d.of(adjectives)[:1])+"x", p))
	r.int(d.between(2008, 2026))
	if d.percent(10) {
		r.null()
	} else {
		r.str(fmt.Sprintf(`{"ram_gb": %d, "storage_gb": %d, "5g": %t, "weight": %d.%d, "colours": ["%s", "%s"], "note": "\"%s\" é 📱"}`,
			1<<d.between(1, 6), 1<<d.between(4, 11), d.percent(50), d.between(90, 2400), d.between(1, 9), d.of(colours), d.of(colours), d.of(adjectives)))
	}
	if d.percent(15) {
		r.null()
	} else {
		r.float(float64(d.between(120, 1700))/100, 2)
	}
	r.float(float64(d.between(9_000, 3_000_000))/1024, 12)
	r.bool(d.percent(20))
	r.end()
	return 1
}

var colours = []string{"noir", "weiß", "blue", "rosé", "graphite", "gold", "緑"}

func emitListing(r *row, d *dice, p int, s size) int {
	created := d.moment()
	c := countries[d.below(len(countries))]
	r.int(p)
	r.int(1 + d.below(s.sellers))
	r.int(1 + d.below(s.models))
	r.str(gradeRows[d.below(len(gradeRows))][0])
	r.str(d.of(brandNames), " ", d.of(categoryNames), " ", d.of(adjectives), ", ", d.of(colours))
	switch {
	case d.percent(20):
		r.null()
	case d.percent(3):
		r.str("")
	default:
		r.str("Tested on ", d.of(benches), ".\nBattery: ", fmt.Sprint(d.between(79, 100)), " %\t", d.of(remarks), " ", d.of(remarks))
	}
	r.cents(d.between(900, 240_000))
	r.str(c.currency)
	r.int(d.below(60))
	r.str(d.of(listingStates))
	r.time(created, milliLayout)
	r.time(created.Add(time.Duration(d.below(900))*time.Hour), secondLayout)
	r.end()
	return 1
}

var (
	benches       = []string{"bench 4", "bench «Lyon»", "line C:\\repair", "the new bench"}
	remarks       = []string{"Écran comme neuf.", "Micro-scratches on the frame.", "Ohne Ladegerät.", "付属品なし。", "Box included 📦✨", "It's \"very\" good; 100% works.", "Sin cargador, ¡pero funciona!"}
	listingStates = []string{"draft", "online", "online", "online", "paused", "sold out", "archived"}
)

func emitInventory(r *row, d *dice, p int) int {
	n := 1
	if d.percent(25) {
		n = 2
	}
	for w := range n {
		r.int(p)
		r.str([]string{"LYS-1", "Łódź-2"}[w])
		r.int(d.between(-3, 500))
		r.int(d.below(9))
		if d.percent(30) {
			r.null()
		} else {
			r.time(d.moment(), dayLayout)
		}
		r.end()
	}
	return n
}

func emitPrices(r *row, d *dice, p int) int {
	at, price := d.moment(), d.between(900, 240_000)
	for i := range 2 {
		r.int(p)
		r.time(at, microLayout)
		if i == 0 {
			r.null()
		} else {
			r.cents(price)
			price = price * d.between(80, 99) / 100
		}
		r.cents(price)
		r.end()
		at = at.Add(time.Duration(d.between(3600, 4_000_000))*time.Second + time.Duration(d.below(1_000_000))*time.Microsecond)
	}
	return 2
}
