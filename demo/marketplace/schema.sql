-- The database of a marketplace of refurbished devices, as a MySQL or MariaDB
-- team would have grown it over ten years. Statements end with a semicolon at
-- the end of a line. The tables are filled with foreign_key_checks off.

CREATE TABLE currencies (
  code CHAR(3) CHARACTER SET ascii NOT NULL COMMENT 'ISO 4217',
  name VARCHAR(40) NOT NULL,
  symbol VARCHAR(8) NOT NULL DEFAULT '',
  minor_units TINYINT UNSIGNED NOT NULL DEFAULT 2,
  PRIMARY KEY (code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='What prices are quoted in';

CREATE TABLE regions (
  id TINYINT UNSIGNED NOT NULL AUTO_INCREMENT,
  code ENUM('eu','na','ap') NOT NULL,
  name VARCHAR(40) NOT NULL,
  launched_on DATE NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_code (code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE countries (
  code CHAR(2) CHARACTER SET ascii NOT NULL COMMENT 'ISO 3166-1 alpha-2',
  region_id TINYINT UNSIGNED NOT NULL,
  currency_code CHAR(3) CHARACTER SET ascii NOT NULL,
  name VARCHAR(60) NOT NULL,
  vat_rate DECIMAL(5,2) NOT NULL DEFAULT 0.00,
  PRIMARY KEY (code),
  CONSTRAINT fk_country_region FOREIGN KEY (region_id) REFERENCES regions (id),
  CONSTRAINT fk_country_currency FOREIGN KEY (currency_code) REFERENCES currencies (code) ON UPDATE CASCADE,
  CONSTRAINT ck_vat CHECK (vat_rate >= 0 AND vat_rate < 100)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE exchange_rates (
  currency_code CHAR(3) CHARACTER SET ascii NOT NULL,
  day DATE NOT NULL,
  rate DECIMAL(18,8) NOT NULL COMMENT 'Units of the currency for one euro',
  PRIMARY KEY (currency_code, day),
  CONSTRAINT fk_rate_currency FOREIGN KEY (currency_code) REFERENCES currencies (code) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE brands (
  id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(60) NOT NULL,
  slug VARCHAR(60) CHARACTER SET ascii NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_slug (slug)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE categories (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  parent_id INT UNSIGNED DEFAULT NULL,
  name VARCHAR(80) NOT NULL,
  position SMALLINT NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  CONSTRAINT fk_category_parent FOREIGN KEY (parent_id) REFERENCES categories (id) ON DELETE SET NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE device_models (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  brand_id SMALLINT UNSIGNED NOT NULL,
  category_id INT UNSIGNED DEFAULT NULL,
  name VARCHAR(120) NOT NULL,
  released YEAR NOT NULL,
  specs JSON DEFAULT NULL,
  screen_inches FLOAT DEFAULT NULL,
  weight_grams DOUBLE NOT NULL,
  battery_replaceable BIT(1) NOT NULL DEFAULT b'0',
  PRIMARY KEY (id),
  UNIQUE KEY uk_brand_name (brand_id, name),
  CONSTRAINT fk_model_brand FOREIGN KEY (brand_id) REFERENCES brands (id) ON DELETE RESTRICT,
  CONSTRAINT fk_model_category FOREIGN KEY (category_id) REFERENCES categories (id) ON DELETE SET NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE sellers (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  uuid BINARY(16) NOT NULL,
  country_code CHAR(2) CHARACTER SET ascii NOT NULL,
  name VARCHAR(120) NOT NULL,
  erp_name VARCHAR(60) CHARACTER SET latin1 NOT NULL DEFAULT '' COMMENT 'As the seller''s ERP spells it',
  services SET('repair','trade-in','express','pick-up point','warranty+') NOT NULL DEFAULT '',
  opens_at TIME DEFAULT NULL,
  closes_at TIME DEFAULT NULL,
  commission DECIMAL(4,2) NOT NULL DEFAULT 10.00,
  rating FLOAT DEFAULT NULL,
  is_active TINYINT(1) NOT NULL DEFAULT 1,
  created_at DATETIME(3) NOT NULL,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  UNIQUE KEY uk_uuid (uuid),
  CONSTRAINT fk_seller_country FOREIGN KEY (country_code) REFERENCES countries (code),
  CONSTRAINT ck_commission CHECK (commission BETWEEN 0 AND 50)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE seller_users (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  seller_id INT UNSIGNED NOT NULL,
  email VARCHAR(160) NOT NULL,
  role ENUM('owner','manager','support','read only') NOT NULL DEFAULT 'support',
  password_hash VARBINARY(60) NOT NULL,
  last_login_at DATETIME DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_email (email),
  CONSTRAINT fk_user_seller FOREIGN KEY (seller_id) REFERENCES sellers (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE customers (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  uuid BINARY(16) NOT NULL,
  email VARCHAR(160) NOT NULL,
  first_name VARCHAR(60) NOT NULL DEFAULT '',
  last_name VARCHAR(60) NOT NULL DEFAULT '',
  full_name VARCHAR(125) GENERATED ALWAYS AS (concat(first_name, ' ', last_name)) STORED,
  country_code CHAR(2) CHARACTER SET ascii NOT NULL,
  born_on DATE DEFAULT NULL,
  newsletter TINYINT(1) NOT NULL DEFAULT 0,
  preferences JSON DEFAULT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  UNIQUE KEY uk_uuid (uuid),
  UNIQUE KEY uk_email (email),
  KEY ix_last_name (last_name(8)),
  CONSTRAINT fk_customer_country FOREIGN KEY (country_code) REFERENCES countries (code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE addresses (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  customer_id BIGINT UNSIGNED NOT NULL,
  kind ENUM('home','work','pick-up') NOT NULL DEFAULT 'home',
  street VARCHAR(160) NOT NULL,
  city VARCHAR(80) NOT NULL,
  postcode VARCHAR(12) NOT NULL,
  country_code CHAR(2) CHARACTER SET ascii NOT NULL,
  latitude DOUBLE DEFAULT NULL,
  longitude DOUBLE DEFAULT NULL,
  PRIMARY KEY (id),
  CONSTRAINT fk_address_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE,
  CONSTRAINT fk_address_country FOREIGN KEY (country_code) REFERENCES countries (code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE listing_grades (
  code CHAR(1) CHARACTER SET ascii NOT NULL,
  label VARCHAR(40) NOT NULL,
  warranty_months TINYINT UNSIGNED NOT NULL,
  PRIMARY KEY (code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE listings (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  seller_id INT UNSIGNED NOT NULL,
  model_id INT UNSIGNED NOT NULL,
  grade CHAR(1) CHARACTER SET ascii NOT NULL DEFAULT 'B',
  title VARCHAR(200) NOT NULL,
  description TEXT DEFAULT NULL,
  price DECIMAL(12,2) NOT NULL,
  price_cents BIGINT GENERATED ALWAYS AS (price * 100) STORED,
  currency_code CHAR(3) CHARACTER SET ascii NOT NULL,
  stock MEDIUMINT UNSIGNED NOT NULL DEFAULT 0,
  state ENUM('draft','online','paused','sold out','archived') NOT NULL DEFAULT 'draft',
  created_at DATETIME(3) NOT NULL,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  KEY ix_state_created (state, created_at DESC),
  KEY ix_description (description(24)),
  FULLTEXT KEY ft_title (title),
  CONSTRAINT fk_listing_seller FOREIGN KEY (seller_id) REFERENCES sellers (id) ON DELETE RESTRICT,
  CONSTRAINT fk_listing_model FOREIGN KEY (model_id) REFERENCES device_models (id),
  CONSTRAINT fk_listing_grade FOREIGN KEY (grade) REFERENCES listing_grades (code),
  CONSTRAINT fk_listing_currency FOREIGN KEY (currency_code) REFERENCES currencies (code),
  CONSTRAINT ck_price CHECK (price > 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE inventory (
  listing_id BIGINT UNSIGNED NOT NULL,
  warehouse VARCHAR(12) NOT NULL,
  on_hand INT NOT NULL DEFAULT 0,
  reserved SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  counted_on DATE DEFAULT NULL,
  PRIMARY KEY (listing_id, warehouse),
  CONSTRAINT fk_inventory_listing FOREIGN KEY (listing_id) REFERENCES listings (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE orders (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  order_no VARCHAR(20) CHARACTER SET ascii NOT NULL,
  customer_id BIGINT UNSIGNED DEFAULT NULL COMMENT 'NULL once the customer asked to be forgotten',
  address_id BIGINT UNSIGNED DEFAULT NULL,
  status VARCHAR(16) NOT NULL DEFAULT 'new',
  currency_code CHAR(3) CHARACTER SET ascii NOT NULL,
  total DECIMAL(12,2) NOT NULL,
  shipping DECIMAL(8,2) NOT NULL DEFAULT 0.00,
  is_gift TINYINT(1) NOT NULL DEFAULT 0,
  note VARCHAR(255) DEFAULT NULL,
  created_at DATETIME(3) NOT NULL,
  paid_at DATETIME DEFAULT NULL,
  updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  UNIQUE KEY uk_order_no (order_no),
  KEY ix_status_created (status, created_at),
  CONSTRAINT fk_order_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE SET NULL,
  CONSTRAINT fk_order_address FOREIGN KEY (address_id) REFERENCES addresses (id) ON DELETE SET NULL,
  CONSTRAINT fk_order_currency FOREIGN KEY (currency_code) REFERENCES currencies (code),
  CONSTRAINT ck_status CHECK (status IN ('new','paid','shipped','delivered','cancelled','returned'))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE order_lines (
  order_id BIGINT UNSIGNED NOT NULL,
  line_no TINYINT UNSIGNED NOT NULL,
  listing_id BIGINT UNSIGNED NOT NULL,
  quantity SMALLINT UNSIGNED NOT NULL DEFAULT 1,
  unit_price DECIMAL(12,2) NOT NULL,
  imei CHAR(15) CHARACTER SET ascii DEFAULT NULL,
  PRIMARY KEY (order_id, line_no),
  CONSTRAINT fk_line_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
  CONSTRAINT fk_line_listing FOREIGN KEY (listing_id) REFERENCES listings (id) ON DELETE RESTRICT
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE payments (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  order_id BIGINT UNSIGNED NOT NULL,
  method ENUM('card','paypal','klarna','bank transfer','gift card') NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  token VARBINARY(32) NOT NULL,
  risk_score FLOAT NOT NULL DEFAULT 0,
  captured_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT fk_payment_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE refunds (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  payment_id BIGINT UNSIGNED NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  reason VARCHAR(120) DEFAULT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT fk_refund_payment FOREIGN KEY (payment_id) REFERENCES payments (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE shipments (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  order_id BIGINT UNSIGNED NOT NULL,
  carrier VARCHAR(20) NOT NULL,
  tracking VARCHAR(32) CHARACTER SET ascii NOT NULL,
  weight_kg DECIMAL(6,3) NOT NULL,
  shipped_at DATETIME NOT NULL,
  transit TIME DEFAULT NULL COMMENT 'Time on the way; beyond 24 hours is common',
  PRIMARY KEY (id),
  KEY ix_tracking (tracking),
  CONSTRAINT fk_shipment_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE shipment_events (
  shipment_id BIGINT UNSIGNED NOT NULL,
  seq TINYINT UNSIGNED NOT NULL,
  code VARCHAR(16) CHARACTER SET ascii NOT NULL,
  place VARCHAR(80) DEFAULT NULL,
  happened_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (shipment_id, seq),
  CONSTRAINT fk_event_shipment FOREIGN KEY (shipment_id) REFERENCES shipments (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE reviews (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  order_id BIGINT UNSIGNED NOT NULL,
  listing_id BIGINT UNSIGNED NOT NULL,
  stars TINYINT NOT NULL,
  body TEXT DEFAULT NULL,
  helpful INT NOT NULL DEFAULT 0,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_order_listing (order_id, listing_id),
  CONSTRAINT fk_review_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
  CONSTRAINT fk_review_listing FOREIGN KEY (listing_id) REFERENCES listings (id) ON DELETE CASCADE,
  CONSTRAINT ck_stars CHECK (stars BETWEEN 1 AND 5)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE carts (
  id BINARY(16) NOT NULL,
  customer_id BIGINT UNSIGNED DEFAULT NULL,
  items JSON NOT NULL,
  expires_at DATETIME NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT fk_cart_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE SET NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE price_history (
  listing_id BIGINT UNSIGNED NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  old_price DECIMAL(12,2) DEFAULT NULL,
  new_price DECIMAL(12,2) NOT NULL,
  PRIMARY KEY (listing_id, changed_at),
  CONSTRAINT fk_history_listing FOREIGN KEY (listing_id) REFERENCES listings (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE audit_log (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  actor VARCHAR(160) NOT NULL,
  action VARCHAR(40) NOT NULL,
  address VARBINARY(16) DEFAULT NULL COMMENT 'IPv4 or IPv6, as bytes',
  payload MEDIUMTEXT DEFAULT NULL,
  at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY ix_action_at (action, at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
