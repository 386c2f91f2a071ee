CREATE TABLE orders (
  id bigint NOT NULL, order_no varchar(20) NOT NULL, customer_id bigint NOT NULL, seller_id bigint NOT NULL,
  status varchar(16) NOT NULL, currency varchar(3) NOT NULL, total numeric(12,2) NOT NULL, discount numeric(10,2),
  items smallint NOT NULL, note varchar(255), created_at timestamp(0) NOT NULL, paid_at timestamp(0), updated_at timestamptz(0) NOT NULL);
