-- Views and the trigger, created when the tables are full.

CREATE VIEW active_listings AS
SELECT l.id, l.title, b.name AS brand, m.name AS model, g.label AS grade, l.price, l.currency_code, s.name AS seller
FROM listings l
JOIN device_models m ON m.id = l.model_id
JOIN brands b ON b.id = m.brand_id
JOIN listing_grades g ON g.code = l.grade
JOIN sellers s ON s.id = l.seller_id
WHERE l.state = 'online' AND s.is_active = 1;

CREATE VIEW order_totals AS
SELECT o.id, o.order_no, o.status, count(*) AS lines_count, sum(ol.quantity) AS items, sum(ol.quantity * ol.unit_price) AS goods, o.total
FROM orders o
JOIN order_lines ol ON ol.order_id = o.id
GROUP BY o.id, o.order_no, o.status, o.total;

CREATE VIEW seller_revenue AS
SELECT s.id AS seller_id, s.name, count(DISTINCT ol.order_id) AS orders_count, sum(ol.quantity * ol.unit_price) AS revenue
FROM sellers s
JOIN listings l ON l.seller_id = s.id
JOIN order_lines ol ON ol.listing_id = l.id
GROUP BY s.id, s.name;

CREATE VIEW model_ratings AS
SELECT m.id AS model_id, m.name, count(r.id) AS reviews_count, avg(r.stars) AS stars
FROM device_models m
LEFT JOIN listings l ON l.model_id = m.id
LEFT JOIN reviews r ON r.listing_id = l.id
GROUP BY m.id, m.name;

CREATE TRIGGER listing_price_kept AFTER UPDATE ON listings FOR EACH ROW
  INSERT INTO price_history (listing_id, changed_at, old_price, new_price)
  SELECT NEW.id, NOW(6), OLD.price, NEW.price FROM DUAL WHERE NEW.price <> OLD.price;
