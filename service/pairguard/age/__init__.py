"""Age evidence in, one posterior over the age out. Pure: no files, no clock, no network."""
