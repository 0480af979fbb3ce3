-- Pages that the database gives to other tables when the disk is full and it cannot grow.
CREATE TABLE spare (space BLOB NOT NULL) STRICT;
