-- The types database: the edge values of every hard case of the type map, for
-- MySQL 8 and later and for MariaDB 10.11. One file serves both: a statement in
-- /*!80000 ... */ is read by MySQL alone, one in /*M! ... */ by MariaDB alone.
-- Statements end with a semicolon at the end of a line. Tables whose values
-- cannot arrive unchanged in PostgreSQL are named loss_*. Everything is written
-- by expressions over ASCII where bytes matter, so that no editor changes it.

SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET sql_mode = '';

-- Case 1: BIGINT UNSIGNED, its whole range, as a value and as a key that others refer to.
CREATE TABLE c01_bigint_unsigned (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, v BIGINT UNSIGNED, proven BIGINT UNSIGNED NOT NULL DEFAULT 0);
INSERT INTO c01_bigint_unsigned VALUES (1, 'zero', 0, 0), (2, 'signed max', 9223372036854775807, 9223372036854775807), (3, 'signed max + 1', 9223372036854775808, 1), (4, 'max', 18446744073709551615, 2), (5, 'null', NULL, 3), (6, 'float precision', 9007199254740993, 9007199254740993);
CREATE TABLE c01_small_key (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20));
INSERT INTO c01_small_key VALUES (1, 'one'), (2, 'two'), (4000000000, 'beyond 31 bits');
CREATE TABLE c01_small_child (id INT PRIMARY KEY, parent_id BIGINT UNSIGNED, CONSTRAINT fk_c01_small FOREIGN KEY (parent_id) REFERENCES c01_small_key (id) ON DELETE CASCADE);
INSERT INTO c01_small_child VALUES (1, 1), (2, 4000000000), (3, NULL);
CREATE TABLE c01_huge_key (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(20));
INSERT INTO c01_huge_key VALUES (0, 'zero'), (9223372036854775807, 'signed max'), (9223372036854775808, 'over'), (18446744073709551615, 'max');
CREATE TABLE c01_huge_child (id INT PRIMARY KEY, parent_id BIGINT UNSIGNED, CONSTRAINT fk_c01_huge FOREIGN KEY (parent_id) REFERENCES c01_huge_key (id) ON DELETE SET NULL);
INSERT INTO c01_huge_child VALUES (1, 18446744073709551615), (2, 0), (3, NULL);

-- Case 2: the smaller integers, signed and unsigned.
CREATE TABLE c02_integers (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL,
  t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, su SMALLINT UNSIGNED, m MEDIUMINT, mu MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, b BIGINT, z INT(6) ZEROFILL);
INSERT INTO c02_integers VALUES
  (1, 'min', -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0),
  (2, 'max', 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 4294967295),
  (3, 'zero', 0, 0, 0, 0, 0, 0, 0, 0, 0, 42),
  (4, 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (5, 'signed max + 1', -1, 128, -1, 32768, -1, 8388608, -1, 2147483648, -1, 1);

-- Case 3: TINYINT(1) that is a boolean, and one that is not.
CREATE TABLE c03_tinyint1 (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, flag TINYINT(1) NOT NULL DEFAULT 0, flag_null TINYINT(1), anything TINYINT(1), unsigned_one TINYINT(1) UNSIGNED);
INSERT INTO c03_tinyint1 VALUES (1, 'false', 0, 0, 0, 0), (2, 'true', 1, 1, 1, 1), (3, 'two', 1, NULL, 2, 2), (4, 'minus one', 0, NULL, -1, 255), (5, 'min', 0, NULL, -128, NULL), (6, 'max', 1, NULL, 127, 128);

-- Case 4: BIT(n).
CREATE TABLE c04_bit (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, b1 BIT(1), b3 BIT(3) NOT NULL DEFAULT b'101', b8 BIT(8), b33 BIT(33), b64 BIT(64));
INSERT INTO c04_bit VALUES (1, 'zero', b'0', b'0', b'0', b'0', b'0'), (2, 'all ones', b'1', b'111', b'11111111', 0x1FFFFFFFF, 0xFFFFFFFFFFFFFFFF), (3, 'null', NULL, b'001', NULL, NULL, NULL), (4, 'high bit', b'1', b'100', 0x80, 0x100000000, 0x8000000000000000), (5, 'low bit', b'1', b'001', 1, 1, 1);
INSERT INTO c04_bit (id, what) VALUES (6, 'defaults');

-- Case 5: ENUM.
CREATE TABLE c05_enum (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, plain ENUM('small','medium','large') NOT NULL DEFAULT 'medium', nasty ENUM('with space','with ''quote''','with "double"','with,comma','back\\slash','trailing   ','été','日本','🎉','{brace}'), digits ENUM('1','0','2'), has_empty ENUM('','x'));
INSERT INTO c05_enum VALUES (1, 'first', 'small', 'with space', '1', ''), (2, 'quote', 'medium', 'with ''quote''', '0', 'x'), (3, 'double quote', 'large', 'with "double"', '2', NULL), (4, 'comma', 'large', 'with,comma', NULL, ''), (5, 'backslash', 'small', 'back\\slash', '1', ''), (6, 'trailing spaces stripped', 'small', 'trailing', '1', ''), (7, 'accents', 'small', 'été', '1', ''), (8, 'wide', 'small', '日本', '1', ''), (9, 'emoji', 'small', '🎉', '1', ''), (10, 'braces', 'small', '{brace}', '1', ''), (11, 'case-insensitive match', 'LARGE', 'WITH SPACE', '1', 'X'), (12, 'by ordinal', 3, 1, 2, 2);
CREATE TABLE c05_enum_invalid (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, e ENUM('a','b') DEFAULT NULL);
INSERT IGNORE INTO c05_enum_invalid VALUES (1, 'index 0, reads as empty', 'no such member'), (2, 'a', 'a'), (3, 'null', NULL);

-- Case 6: SET.
CREATE TABLE c06_set (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, s SET('a','b','c') NOT NULL DEFAULT '', nasty SET('with space','with ''quote''','with "double"','back\\slash','été','{brace}','NULL'));
INSERT INTO c06_set VALUES (1, 'empty', '', ''), (2, 'definition order', 'c,a', 'with space'), (3, 'all', 'a,b,c', 'with space,with ''quote'',with "double",back\\slash,été,{brace},NULL'), (4, 'null', 'b', NULL), (5, 'quotes', 'a', 'with ''quote'',with "double"'), (6, 'the word NULL', 'a', 'NULL'), (7, 'by bits', 5, 127);
CREATE TABLE c06_set64 (id INT PRIMARY KEY, s SET('m00','m01','m02','m03','m04','m05','m06','m07','m08','m09','m10','m11','m12','m13','m14','m15','m16','m17','m18','m19','m20','m21','m22','m23','m24','m25','m26','m27','m28','m29','m30','m31','m32','m33','m34','m35','m36','m37','m38','m39','m40','m41','m42','m43','m44','m45','m46','m47','m48','m49','m50','m51','m52','m53','m54','m55','m56','m57','m58','m59','m60','m61','m62','m63'));
INSERT INTO c06_set64 VALUES (1, 18446744073709551615), (2, 9223372036854775808), (3, 0);

-- Case 7: JSON.
CREATE TABLE c07_json (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, j JSON);
INSERT INTO c07_json VALUES (1, 'sql null', NULL), (2, 'json null', 'null'), (3, 'keys out of order, a key twice', '{"bb": 1, "a": 2, "a": 3}'), (4, '1e2', '{"n": 1e2}'), (5, '30 digits', '{"n": 123456789012345678901234567890}'), (6, 'unsigned max', '[18446744073709551615, -9223372036854775808]'), (7, 'fractions', '[0.1, 1.10, 123456789.123456789, -0.0, 1e-7, 1.7976931348623157e308]'), (8, 'escapes', '{"t": "tab\\t nl\\n quote\\" back\\\\ slash\\/ u\\u00e9"}'), (9, 'emoji', '{"🎉": "été 日本 \\ud83d\\ude00"}'), (10, 'empty things', '{"a": {}, "b": [], "c": "", "": 0}'), (11, 'scalars', '"text"'), (12, 'number alone', '42'), (13, 'true alone', 'true'), (14, 'deep', '[[[[[[[[[[[[1]]]]]]]]]]]]'), (15, 'html', '"<a href=\\"x\\">&amp;</a>"');
/*!80000 INSERT INTO c07_json VALUES (20, 'opaque date', JSON_OBJECT('d', CAST('2024-02-29' AS DATE), 't', CAST('12:34:56.789' AS TIME(3)), 'dt', CAST('2024-02-29 12:34:56.000001' AS DATETIME(6)))), (21, 'opaque decimal', JSON_ARRAY(CAST('12345678901234567890.123456789' AS DECIMAL(40,10)))), (22, 'opaque bytes', JSON_ARRAY(CAST(x'00FF41' AS BINARY(3)))) */;
CREATE TABLE c07_json_nul (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, j JSON);
INSERT INTO c07_json_nul VALUES (1, 'escaped nul', '{"n": "a\\u0000b"}'), (2, 'none', '{"n": "ab"}');

-- Case 8: YEAR.
CREATE TABLE c08_year (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, y YEAR);
INSERT INTO c08_year VALUES (1, '0000', '0000'), (2, 'min', 1901), (3, 'max', 2155), (4, 'null', NULL), (5, 'two digits', '69'), (6, 'two digits', '70');

-- Case 9: TIME.
CREATE TABLE c09_time (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, day_time TIME, day_time3 TIME(3), t TIME(6));
INSERT INTO c09_time VALUES (1, 'min', '00:00:00', '00:00:00.001', '-838:59:59.000000'), (2, 'max', '23:59:59', '23:59:59.999', '838:59:59.000000'), (3, 'just negative', '00:00:01', '12:00:00', '-00:00:00.000001'), (4, 'null', NULL, NULL, NULL), (5, '24 hours', '12:34:56', '12:34:56.789', '24:00:00'), (6, 'fraction', '01:02:03', '01:02:03.100', '837:59:59.999999'), (7, 'negative with fraction', '01:02:03', '01:02:03.100', '-837:59:59.999999');

-- Case 10: dates that do not exist; PostgreSQL has no place for them.
CREATE TABLE loss_zero_dates (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, d DATE, d_required DATE NOT NULL, dt DATETIME(3), ts TIMESTAMP NULL);
INSERT INTO loss_zero_dates VALUES (1, 'zero', '0000-00-00', '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00'), (2, 'no day', '2024-05-00', '2024-05-01', '2024-05-00 00:00:00', NULL), (3, 'no month', '2024-00-00', '2024-05-01', '2024-00-00 10:11:12.345', NULL), (4, 'year zero', '0000-05-01', '2024-05-01', '0000-05-01 01:00:00', NULL), (5, 'year zero, first day', '0000-01-01', '2024-05-01', '0000-01-01 00:00:00', NULL), (6, 'real', '2024-02-29', '2024-02-29', '2024-02-29 12:00:00.5', '2024-02-29 12:00:00'), (7, 'null', NULL, '2024-02-29', NULL, NULL);

-- Case 11: DATETIME and TIMESTAMP, also in the hours that zones repeat or skip.
CREATE TABLE c11_moments (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, d DATE, dt DATETIME, dt3 DATETIME(3), dt6 DATETIME(6), ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL);
INSERT INTO c11_moments VALUES (1, 'min', '1000-01-01', '1000-01-01 00:00:00', '1000-01-01 00:00:00', '1000-01-01 00:00:00', '1970-01-01 00:00:01', '1970-01-01 00:00:01.000000'), (2, 'max', '9999-12-31', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999999'), (3, 'year 1', '0001-01-01', '0001-01-01 00:00:00', '0001-01-01 00:00:00.001', '0001-01-01 00:00:00.000001', NULL, NULL), (4, 'null', NULL, NULL, NULL, NULL, NULL, NULL), (5, 'Paris, first 02:30 of the fold', '2024-10-27', '2024-10-27 02:30:00', '2024-10-27 02:30:00', '2024-10-27 02:30:00', '2024-10-27 00:30:00', '2024-10-27 00:30:00'), (6, 'Paris, second 02:30 of the fold', '2024-10-27', '2024-10-27 02:30:00', '2024-10-27 02:30:00', '2024-10-27 02:30:00', '2024-10-27 01:30:00', '2024-10-27 01:30:00'), (7, 'Paris, in the gap', '2024-03-31', '2024-03-31 02:30:00', '2024-03-31 02:30:00.5', '2024-03-31 02:30:00.000005', '2024-03-31 01:00:00', '2024-03-31 00:59:59.999999'), (8, 'before 1970', '1969-12-31', '1969-12-31 23:59:59', '1969-12-31 23:59:59.999', '1969-12-31 23:59:59.999999', NULL, NULL), (9, 'leap day', '2000-02-29', '2000-02-29 00:00:00', '2000-02-29 00:00:00.120', '2000-02-29 00:00:00.123000', '2000-02-29 00:00:00', '2000-02-29 00:00:00.100000'), (10, 'before 2000', '1999-12-31', '1999-12-31 23:59:59', '1999-12-31 23:59:59.999', '1999-12-31 23:59:59.999999', '1999-12-31 23:59:59', '1999-12-31 23:59:59.999999');

-- Case 12: collations.
CREATE TABLE c12_collations (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, general VARCHAR(60) COLLATE utf8mb4_general_ci, uca VARCHAR(60) COLLATE utf8mb4_unicode_ci, bin VARCHAR(60) COLLATE utf8mb4_bin, newest VARCHAR(60) /*!80000 COLLATE utf8mb4_0900_ai_ci */ /*M! COLLATE utf8mb4_unicode_520_ci */, exact VARCHAR(60) /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */);
INSERT INTO c12_collations SELECT id, what, s, s, s, s, s FROM (
  SELECT 1 AS id, 'sharp s' AS what, 'straße' AS s UNION ALL SELECT 2, 'ss', 'strasse' UNION ALL SELECT 3, 'one s', 'strase' UNION ALL SELECT 4, 'upper', 'STRASSE' UNION ALL SELECT 5, 'accent', 'é' UNION ALL SELECT 6, 'no accent', 'e' UNION ALL SELECT 7, 'combining accent', CONVERT(x'65CC81' USING utf8mb4) UNION ALL SELECT 8, 'emoji', '🍣' UNION ALL SELECT 9, 'another emoji', '🍺' UNION ALL SELECT 10, 'trailing space', 'abc ' UNION ALL SELECT 11, 'none', 'abc' UNION ALL SELECT 12, 'trailing tab', CONCAT('abc', CHAR(9)) UNION ALL SELECT 13, 'empty', '' UNION ALL SELECT 14, 'one space', ' ' UNION ALL SELECT 15, 'null', NULL UNION ALL SELECT 16, 'dotless i', 'ıIiİ' UNION ALL SELECT 17, 'ligature', 'ﬁﬂæœ' UNION ALL SELECT 18, 'zero width', CONVERT(x'61E2808B62' USING utf8mb4) UNION ALL SELECT 19, 'wide latin', 'ＡＢＣ' UNION ALL SELECT 20, 'greek sigma', 'ΣΑΣ σας' UNION ALL SELECT 21, 'highest', CONVERT(x'F48FBFBF' USING utf8mb4) UNION ALL SELECT 22, 'backslash', 'a\\b' UNION ALL SELECT 23, 'copy marks', CONCAT('\\N', CHAR(10), '\\.', CHAR(10), CHAR(13)) UNION ALL SELECT 24, 'quotes', 'it''s "x" `y` $1 %s' UNION ALL SELECT 25, 'the word', 'NULL' UNION ALL SELECT 26, 'controls', CONVERT(x'0102080B0C1B7F' USING utf8mb4) UNION ALL SELECT 27, 'byte order mark', CONVERT(x'EFBBBF61' USING utf8mb4) UNION ALL SELECT 28, 'joined emoji', '👩‍👩‍👧‍👦🏳️‍🌈') AS v;
CREATE TABLE c12_string_key (k VARCHAR(40) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, n INT);
INSERT INTO c12_string_key VALUES ('a', 1), ('B', 2), ('c', 3), ('Ä2', 4), ('zz', 5), ('', 6), ('_', 7), ('🍣', 8), ('é1', 9), ('Z', 10), ('10', 11), ('9', 12), ('a b', 13), ('a-b', 14), ('ab', 15), ('日本', 16), ('it''s', 17);
CREATE TABLE c12_composite_key (tenant CHAR(3) CHARACTER SET ascii NOT NULL, code VARCHAR(20) COLLATE utf8mb4_unicode_ci NOT NULL, seq SMALLINT NOT NULL, v VARCHAR(20), PRIMARY KEY (tenant, code, seq));
INSERT INTO c12_composite_key VALUES ('abc', 'x', 1, 'a'), ('abc', 'x', 2, 'b'), ('abc', 'Y', -1, 'c'), ('ab', 'é', 1, 'd'), ('', '', 0, 'e'), ('zzz', '🍣', 32767, NULL), ('zzz', 'z z', -32768, '');

-- Case 13: character sets.
CREATE TABLE c13_charsets (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, l1 VARCHAR(200) CHARACTER SET latin1, u3 VARCHAR(200) CHARACTER SET utf8mb3, a VARCHAR(200) CHARACTER SET ascii, cyr VARCHAR(200) CHARACTER SET cp1251, l2 VARCHAR(200) CHARACTER SET latin2, u2 VARCHAR(200) CHARACTER SET ucs2, u16 VARCHAR(200) CHARACTER SET utf16, u32 VARCHAR(200) CHARACTER SET utf32, jp VARCHAR(200) CHARACTER SET sjis, gr VARCHAR(200) CHARACTER SET greek, gb VARCHAR(200) CHARACTER SET gbk);
INSERT INTO c13_charsets VALUES (1, 'ordinary', 'été €', 'été 日本', 'plain', 'привет', 'żółć', 'été 日本', 'été 🎉', 'été 🎉', '日本', 'αβγ', '中文'), (2, 'empty', '', '', '', '', '', '', '', '', '', '', ''), (3, 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO c13_charsets (id, what, l1) VALUES (4, 'latin1 80-9f', _latin1 x'808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9F'), (5, 'latin1 a0-ff', _latin1 x'A0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF'), (6, 'latin1 01-7f', _latin1 x'0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F'), (7, 'utf8 bytes kept in latin1', _latin1 x'C3A974C3A9');
CREATE TABLE loss_nul_text (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, v VARCHAR(60), t TEXT, c CHAR(10));
INSERT INTO loss_nul_text VALUES (1, 'in the middle', CONCAT('a', CHAR(0), 'b'), CONCAT('a', CHAR(0), 'b'), CONCAT('a', CHAR(0), 'b')), (2, 'alone', CONCAT('', CHAR(0)), CONCAT('', CHAR(0)), CONCAT('', CHAR(0))), (3, 'at the end', CONCAT('a', CHAR(0)), CONCAT('a', CHAR(0)), CONCAT('a', CHAR(0))), (4, 'none', 'ab', 'ab', 'ab'), (5, 'null', NULL, NULL, NULL);

-- Case 14: BINARY, BLOB, CHAR.
CREATE TABLE c14_bytes (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, b4 BINARY(4), uuid BINARY(16), vb VARBINARY(300), tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB);
INSERT INTO c14_bytes VALUES (1, 'padded', 'a', UNHEX('00112233445566778899AABBCCDDEEFF'), 'a', 'a', 'a', 'a', 'a'), (2, 'zeros at the end', x'61000000', UNHEX('00000000000000000000000000000000'), x'6100', x'6100', x'6100', x'6100', x'6100'), (3, 'empty', '', '', '', '', '', '', ''), (4, 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL), (5, 'every byte', x'80FF005C', UNHEX(REPEAT('FF', 16)), UNHEX('000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF'), x'5C4E0A', UNHEX('000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F707172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F909192939495969798999A9B9C9D9E9FA0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECFD0D1D2D3D4D5D6D7D8D9DADBDCDDDEDFE0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF'), x'0A0D1A', x'27225C'), (6, 'long', 'wxyz', REPEAT('x', 16), REPEAT(x'00', 300), REPEAT(x'FF', 255), REPEAT('ab', 30000), REPEAT('0', 70000), REPEAT(x'5C', 200000));
CREATE TABLE c14_char (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, c CHAR(8), v VARCHAR(8), cb CHAR(8) COLLATE utf8mb4_bin, c255 CHAR(255), t TINYTEXT, x TEXT, mt MEDIUMTEXT, lt LONGTEXT);
INSERT INTO c14_char VALUES (1, 'spaces at the end', 'ab   ', 'ab   ', 'ab   ', 'ab ', 'ab ', 'ab  ', 'ab ', 'ab '), (2, 'spaces before', '  ab', '  ab', '  ab', '  ab', '  ab', '  ab', '  ab', '  ab'), (3, 'only spaces', '    ', '    ', '    ', ' ', ' ', ' ', ' ', ' '), (4, 'empty', '', '', '', '', '', '', '', ''), (5, 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (6, 'eight emoji', '🎉🎉🎉🎉🎉🎉🎉🎉', '🎉🎉🎉🎉🎉🎉🎉🎉', 'é', REPEAT('é', 255), REPEAT('é', 127), REPEAT('🎉', 16000), REPEAT('日', 30000), REPEAT('x', 100000));

-- Case 15: FLOAT, DOUBLE, DECIMAL.
CREATE TABLE c15_floats (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, f FLOAT, d DOUBLE, f72 FLOAT(7,2), d103 DOUBLE(10,3), fu FLOAT UNSIGNED);
INSERT INTO c15_floats VALUES (1, 'zero', 0, 0, 0, 0, 0), (2, 'minus zero', -0e0, -0e0, -0e0, -0e0, 0), (3, 'null', NULL, NULL, NULL, NULL, NULL), (4, '2^24 + 1', 16777217, 9007199254740993, 16777.217, 1234567.8915, 16777217), (5, 'pi', 3.14159265358979, 3.141592653589793, 3.14159, 3.14159, 3.14159265), (6, 'big', 3.4028234e38, 1.7976931348623157e308, 99999.99, 9999999.999, 3.4028234e38), (7, 'small', 1.17549435e-38, 2.2250738585072014e-308, 0.01, 0.001, 1e-38), (8, 'denormal', 1.4e-45, 5e-324, 0, 0, 1e-44), (9, 'negative', -123456789, -1.2345678901234567e-100, -0.1, -0.1, 123456789), (10, 'tenth', 0.1, 0.1, 0.1, 0.1, 0.1), (11, 'sum', 0.3, 0.1e0 + 0.2e0, 0.3, 0.3, 0.3);
CREATE TABLE c15_decimals (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, d65 DECIMAL(65,30), d650 DECIMAL(65,0), d102 DECIMAL(10,2), d DECIMAL, du DECIMAL(20,6) UNSIGNED, d3030 DECIMAL(30,30));
INSERT INTO c15_decimals VALUES (1, 'max', 99999999999999999999999999999999999.999999999999999999999999999999, 99999999999999999999999999999999999999999999999999999999999999999, 99999999.99, 9999999999, 99999999999999.999999, 0.999999999999999999999999999999), (2, 'min', -99999999999999999999999999999999999.999999999999999999999999999999, -99999999999999999999999999999999999999999999999999999999999999999, -99999999.99, -9999999999, 0, -0.999999999999999999999999999999), (3, 'zero', 0, 0, 0, 0, 0, 0), (4, 'smallest', 0.000000000000000000000000000001, 1, 0.01, 1, 0.000001, 0.000000000000000000000000000001), (5, 'null', NULL, NULL, NULL, NULL, NULL, NULL), (6, 'inner zeros', 10000.0001, 10000000000000000000000000000000, 10000.10, 10000, 10000.000100, 0.0001), (7, 'minus nothing', -0.0, -0, -0.00, -0, 0, -0.0);

-- Case 16: generated columns.
CREATE TABLE c16_generated (id INT PRIMARY KEY, first VARCHAR(20), last VARCHAR(20), qty INT, price DECIMAL(10,2), at DATETIME,
  full_virtual VARCHAR(60) GENERATED ALWAYS AS (concat(first, ' ', last)) VIRTUAL,
  full_stored VARCHAR(60) GENERATED ALWAYS AS (concat(first, ' ', last)) STORED,
  total DECIMAL(14,2) GENERATED ALWAYS AS (qty * price) STORED,
  next_qty INT GENERATED ALWAYS AS (qty + 1) VIRTUAL,
  loud VARCHAR(20) GENERATED ALWAYS AS (upper(last)) STORED,
  big TINYINT(1) GENERATED ALWAYS AS (qty > 100) STORED,
  at_year INT GENERATED ALWAYS AS (year(at)) STORED,
  either VARCHAR(20) GENERATED ALWAYS AS (ifnull(first, last)) STORED,
  KEY ix_total (total));
INSERT INTO c16_generated (id, first, last, qty, price, at) VALUES (1, 'Zoë', 'Müller', 2, 19.99, '2024-02-29 01:02:03'), (2, NULL, 'Smith', 0, 0, NULL), (3, 'a', NULL, NULL, 5, '1999-12-31 23:59:59'), (4, '', '', -3, 0.01, '2000-01-01 00:00:00'), (5, 'x  ', '  y', 101, 99999.99, '9999-12-31 00:00:00');

-- Case 17 is the trigger of ON UPDATE; the value itself moves like any other.
CREATE TABLE c17_on_update (id INT PRIMARY KEY, v INT, ts TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, dt DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3));
INSERT INTO c17_on_update VALUES (1, 1, '2001-02-03 04:05:06', '2001-02-03 04:05:06.789'), (2, 2, '2030-01-01 00:00:00', NULL);

-- Case 18: indexes.
CREATE TABLE c18_indexes (id INT PRIMARY KEY, name VARCHAR(200) NOT NULL, code VARCHAR(40) COLLATE utf8mb4_bin NOT NULL, body TEXT, raw VARBINARY(80), n INT, at DATETIME, place POINT NOT NULL /*!80000 SRID 0 */,
  KEY ix_prefix (name(10)), UNIQUE KEY uk_prefix (code(4)), KEY ix_raw_prefix (raw(6)), KEY ix_text_prefix (body(20)), KEY ix_desc (n DESC, at), KEY ix_mixed (name(5), n), FULLTEXT KEY ft_body (body), FULLTEXT KEY ft_two (name, body), SPATIAL KEY sp_place (place));
INSERT INTO c18_indexes VALUES (1, 'alpha', 'AAAA1', 'some words in a text', 'raw', 1, '2024-01-01', ST_GeomFromText('POINT(1 2)')), (2, REPEAT('x', 200), 'BBBB2', REPEAT('lorem ipsum ', 300), NULL, NULL, NULL, ST_GeomFromText('POINT(-1.5 2.25)')), (3, '', 'aaaa', NULL, '', 3, '2024-01-02', ST_GeomFromText('POINT(0 0)'));
/*!80000 CREATE INDEX ix_functional ON c18_indexes ((lower(name))) */;
/*!80000 CREATE INDEX ix_product ON c18_indexes ((n * 2), at DESC) */;
/*!80000 ALTER TABLE c18_indexes ADD KEY ix_hidden (at) INVISIBLE */;
/*M! ALTER TABLE c18_indexes ADD KEY ix_hidden (at) IGNORED */;

-- Case 19: identifiers. The two long names differ in their 64th character only.
CREATE TABLE `a_table_whose_name_is_as_long_as_the_server_allows_it_to_be_00_1` (id INT PRIMARY KEY, `a_column_whose_name_is_as_long_as_the_server_allows_it_to_be_0_1` INT, `a_column_whose_name_is_as_long_as_the_server_allows_it_to_be_0_2` INT, KEY `an_index_whose_name_is_as_long_as_the_server_allows_it_to_be_0_1` (`a_column_whose_name_is_as_long_as_the_server_allows_it_to_be_0_1`), KEY `an_index_whose_name_is_as_long_as_the_server_allows_it_to_be_0_2` (`a_column_whose_name_is_as_long_as_the_server_allows_it_to_be_0_2`));
INSERT INTO `a_table_whose_name_is_as_long_as_the_server_allows_it_to_be_00_1` VALUES (1, 11, 12);
CREATE TABLE `a_table_whose_name_is_as_long_as_the_server_allows_it_to_be_00_2` (id INT PRIMARY KEY, v INT);
INSERT INTO `a_table_whose_name_is_as_long_as_the_server_allows_it_to_be_00_2` VALUES (2, 21);
CREATE TABLE c19_same_index_a (id INT PRIMARY KEY, v INT, KEY ix_v (v), UNIQUE KEY uk (v, id));
CREATE TABLE c19_same_index_b (id INT PRIMARY KEY, v INT, KEY ix_v (v), UNIQUE KEY uk (v, id));
INSERT INTO c19_same_index_a VALUES (1, 1);
INSERT INTO c19_same_index_b VALUES (1, 1);
CREATE TABLE `order` (`select` INT PRIMARY KEY, `from` VARCHAR(10) DEFAULT 'where', `user` INT, `end` DATE, KEY `group` (`user`)) COMMENT = 'it''s "quoted" \\ and 日本';
INSERT INTO `order` VALUES (1, 'table', 2, '2024-01-01'), (2, DEFAULT, NULL, NULL);
CREATE TABLE `c19 odd-name$` (`Id` INT PRIMARY KEY, `Mixed Case` INT COMMENT 'a ''quoted'' comment; with a semicolon', `ünï` INT, `per%cent` INT, `dou"ble` INT, `1st` INT);
INSERT INTO `c19 odd-name$` VALUES (1, 2, 3, 4, 5, 6);
CREATE TABLE c19_oid_names (id INT PRIMARY KEY, oid INT, `cmin` INT, `ctid` VARCHAR(10), `tableoid` INT, `xmin` INT);
INSERT INTO c19_oid_names VALUES (1, 1, 2, '(0,1)', 4, 5);

-- Case 22: no key, keys and columns that SELECT * does not show.
CREATE TABLE c22_no_key (a INT, b VARCHAR(20), c DOUBLE);
INSERT INTO c22_no_key VALUES (1, 'same', 0.5), (1, 'same', 0.5), (1, 'same', 0.5), (1, NULL, 0.5), (1, NULL, 0.5), (NULL, NULL, NULL), (NULL, NULL, NULL), (2, '', -0e0), (2, '', 0);
CREATE TABLE c22_unique_null (a INT, b VARCHAR(20), UNIQUE KEY uk_a (a));
INSERT INTO c22_unique_null VALUES (1, 'x'), (NULL, 'y'), (NULL, 'y'), (NULL, NULL);
CREATE TABLE c22_invisible (id INT PRIMARY KEY, seen INT, hidden VARCHAR(20) INVISIBLE, hidden_default INT INVISIBLE DEFAULT 7);
INSERT INTO c22_invisible (id, seen, hidden) VALUES (1, 1, 'secret'), (2, 2, NULL), (3, NULL, '');
/*!80030 SET SESSION sql_generate_invisible_primary_key = ON */;
/*!80030 CREATE TABLE c22_generated_key (v VARCHAR(20), n INT) */;
/*!80030 SET SESSION sql_generate_invisible_primary_key = OFF */;
/*!80030 INSERT INTO c22_generated_key (v, n) VALUES ('one', 1), ('one', 1), (NULL, NULL) */;
CREATE TABLE c22_binary_key (k BINARY(16) PRIMARY KEY, v INT);
INSERT INTO c22_binary_key VALUES (UNHEX('00000000000000000000000000000000'), 0), (UNHEX('00112233445566778899AABBCCDDEEFF'), 1), (UNHEX(REPEAT('FF', 16)), 2), (UNHEX('5C004E0A0D000000000000000000005C'), 3);
CREATE TABLE c22_date_key (d DATE, t TIME(3), y YEAR, v INT, PRIMARY KEY (d, t, y));
INSERT INTO c22_date_key VALUES ('1000-01-01', '00:00:00', 2000, 1), ('9999-12-31', '23:59:59.999', 2155, 2), ('2024-02-29', '12:00:00.5', '0000', 3);
CREATE TABLE c22_decimal_key (k DECIMAL(30,10) PRIMARY KEY, v INT);
INSERT INTO c22_decimal_key VALUES (-1.5, 1), (0, 2), (99999999999999999999.9999999999, 3), (0.0000000001, 4);
CREATE TABLE c22_enum_key (k ENUM('z','a','m') PRIMARY KEY, v INT);
INSERT INTO c22_enum_key VALUES ('z', 1), ('a', 2), ('m', 3);
CREATE TABLE c22_float_key (k DOUBLE PRIMARY KEY, v INT);
INSERT INTO c22_float_key VALUES (-1e300, 1), (0.1, 2), (5e-324, 3), (1e300, 4);
CREATE TABLE c22_negative_key (k BIGINT PRIMARY KEY, v INT);
INSERT INTO c22_negative_key VALUES (-9223372036854775808, 1), (-1, 2), (0, 3), (9223372036854775807, 4);
CREATE TABLE c22_empty (id INT AUTO_INCREMENT PRIMARY KEY, v TEXT);

-- Case 25: AUTO_INCREMENT, defaults, checks.
CREATE TABLE c25_auto (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT) AUTO_INCREMENT = 1000;
INSERT INTO c25_auto (v) VALUES (1), (2), (3);
DELETE FROM c25_auto WHERE v = 3;
CREATE TABLE c25_auto_zero (id INT NOT NULL PRIMARY KEY AUTO_INCREMENT, v INT);
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
INSERT INTO c25_auto_zero VALUES (0, 0), (-5, 1), (7, 2);
SET sql_mode = '';
CREATE TABLE c25_defaults (id INT PRIMARY KEY,
  d_empty VARCHAR(20) NOT NULL DEFAULT '', d_null VARCHAR(20) DEFAULT NULL, d_word_null VARCHAR(20) NOT NULL DEFAULT 'null', d_quote VARCHAR(20) DEFAULT 'it''s', d_back VARCHAR(20) DEFAULT 'a\\b', d_word_now VARCHAR(30) DEFAULT 'current_timestamp()', d_uni VARCHAR(20) DEFAULT 'été 🎉',
  d_int INT DEFAULT -5, d_str_int INT DEFAULT '7', d_dec DECIMAL(6,2) DEFAULT 1.50, d_float FLOAT DEFAULT 0.5, d_bool TINYINT(1) NOT NULL DEFAULT 1, d_bit BIT(4) DEFAULT b'1010', d_enum ENUM('x','y') DEFAULT 'y', d_set SET('x','y') DEFAULT 'x,y', d_date DATE DEFAULT '2024-02-29', d_time TIME DEFAULT '12:00:00', d_dt DATETIME DEFAULT '2024-02-29 12:00:00', d_year YEAR DEFAULT 2024, d_bin BINARY(4) DEFAULT 'ab', d_now TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, d_now6 DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), d_expr INT DEFAULT (1 + 2), d_uuid CHAR(36) DEFAULT (uuid()), d_json JSON DEFAULT ('{}'), d_today DATE DEFAULT (curdate()));
INSERT INTO c25_defaults (id, d_now, d_now6, d_uuid, d_today) VALUES (1, '2024-01-01 00:00:00', '2024-01-01 00:00:00.000001', '11111111-2222-3333-4444-555555555555', '2024-01-01');
CREATE TABLE c25_checks (id INT PRIMARY KEY, age INT CHECK (age >= 0), email VARCHAR(40), state VARCHAR(10), lo INT, hi INT, note VARCHAR(20),
  CONSTRAINT ck_like CHECK (email LIKE '%@%'), CONSTRAINT ck_in CHECK (state IN ('a','b','it''s')), CONSTRAINT ck_range CHECK (lo < hi AND hi <= 100 OR lo IS NULL), CONSTRAINT ck_length CHECK (char_length(note) BETWEEN 1 AND 10), CONSTRAINT ck_not_empty CHECK (note <> ''));
INSERT INTO c25_checks VALUES (1, 0, 'a@b', 'a', 1, 2, 'x'), (2, NULL, NULL, NULL, NULL, NULL, NULL), (3, 130, '@', 'it''s', -5, 100, 'ten signs!');
CREATE TABLE c25_self (id INT PRIMARY KEY, parent_id INT, CONSTRAINT fk_c25_self FOREIGN KEY (parent_id) REFERENCES c25_self (id) ON DELETE CASCADE ON UPDATE RESTRICT);
INSERT INTO c25_self VALUES (1, NULL), (2, 1), (3, 2), (4, 4);

-- Spatial values: the stored bytes are a little-endian SRID and WKB with x = longitude first.
CREATE TABLE c26_spatial (id INT PRIMARY KEY, what VARCHAR(60) NOT NULL, g GEOMETRY, p POINT, l LINESTRING, a POLYGON);
INSERT INTO c26_spatial VALUES (1, 'no SRID', ST_GeomFromText('POINT(2.35 48.85)'), ST_GeomFromText('POINT(-0.0 1e-300)'), ST_GeomFromText('LINESTRING(0 0,1 1,2.5 -3.25)'), ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,4 2,4 4,2 4,2 2))')), (2, 'null', NULL, NULL, NULL, NULL), (3, 'collection', ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))'), NULL, NULL, NULL), (4, 'multi', ST_GeomFromText('MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))'), NULL, NULL, NULL), (5, 'multipoint', ST_GeomFromText('MULTIPOINT(1 2,3 4)'), NULL, NULL, NULL), (6, 'empty collection', ST_GeomFromText('GEOMETRYCOLLECTION EMPTY'), NULL, NULL, NULL);
/*!80000 INSERT INTO c26_spatial VALUES (10, '4326, Paris', ST_GeomFromText('POINT(48.85 2.35)', 4326), ST_GeomFromText('POINT(48.85 2.35)', 4326), NULL, ST_GeomFromText('POLYGON((48 2,49 2,49 3,48 2))', 4326)) */;
/*M! INSERT INTO c26_spatial VALUES (10, '4326, Paris', ST_GeomFromText('POINT(2.35 48.85)', 4326), ST_GeomFromText('POINT(2.35 48.85)', 4326), NULL, ST_GeomFromText('POLYGON((2 48,2 49,3 49,2 48))', 4326)) */;

-- Types that only one of the two has.
/*M! CREATE TABLE c27_mariadb (id INT PRIMARY KEY, u UUID, i6 INET6, i4 INET4) */;
/*M! INSERT INTO c27_mariadb VALUES (1, '00112233-4455-6677-8899-aabbccddeeff', '2001:db8::ff00:42:8329', '192.0.2.1'), (2, NULL, NULL, NULL), (3, '00000000-0000-0000-0000-000000000000', '::', '0.0.0.0'), (4, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '::ffff:192.0.2.33', '255.255.255.255'), (5, '123e4567-e89b-12d3-a456-426655440000', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '10.0.0.1') */;
