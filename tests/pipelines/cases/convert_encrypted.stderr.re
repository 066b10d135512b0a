^error: .*/encrypted\.pdf: .*password
