"""The five Parquet tables that training reads: their schema, checks, reading and writing."""
