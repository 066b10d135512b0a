^[0-9]+ tokens read in [0-9.]+ s \([0-9.]+/s\), 0 known already; 30 written in [0-9.]+ s \([0-9.]+/s\), length$
