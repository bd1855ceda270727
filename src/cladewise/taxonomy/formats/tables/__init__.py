"""Text tables, Parquet and data frames: reading the cells, and taking rows for levels, edges, nodes or paths."""
