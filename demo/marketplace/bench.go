package main

import (
	"fmt"
	"time"
)

// benchOrders is the one table of the copy benchmark, with n rows.
func benchOrders(n int) table {
	return table{"orders", "id order_no customer_id seller_id status currency total discount items note created_at paid_at updated_at", n, func(r *row, d *dice, p int) int {
		created := d.moment()
		paid := created.Add(time.Duration(d.below(7200)) * time.Second)
		r.int(p)
		r.str(fmt.Sprintf("B%09d", (p*7919)%1_000_000_007))
		r.int(1 + d.below(300_000))
		r.int(1 + d.below(4_000))
		r.str(d.of(statuses))
		r.str(countries[d.below(len(countries))].currency)
		r.cents(d.between(900, 300_000))
		if d.percent(70) {
			r.null()
		} else {
			r.cents(d.between(100, 5_000))
		}
		r.int(d.between(1, 4))
		if d.percent(85) {
			r.null()
		} else {
			r.str(d.of(notes))
		}
		r.time(created, secondLayout)
		if d.percent(10) {
			r.null()
		} else {
			r.time(paid, secondLayout)
		}
		r.time(paid, secondLayout)
		r.end()
		return 1
	}}
}

// benchIndexes builds the benchmark table's three secondary indexes in one pass.
const benchIndexes = "ALTER TABLE orders ADD UNIQUE KEY uk_order_no (order_no), ADD KEY ix_customer (customer_id), ADD KEY ix_status_created (status, created_at)"
