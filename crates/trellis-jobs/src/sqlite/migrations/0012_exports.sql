-- What an export is converted from.

ALTER TABLE jobs ADD COLUMN source TEXT;
