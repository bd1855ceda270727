"""Tables of taxa: Darwin Core, ColDP and tables with one column per rank."""
