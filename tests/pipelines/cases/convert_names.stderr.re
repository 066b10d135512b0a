^0 converted \(0 pages, [0-9.]+ s\), 3 unchanged, 0 failed$
