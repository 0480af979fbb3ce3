-- What making a result took: the time of each stage and the GPU memory.

ALTER TABLE jobs ADD COLUMN timings TEXT;
