"""iNaturalist 2018, 2019, 2021 and 2021-mini."""
