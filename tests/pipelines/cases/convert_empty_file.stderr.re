^error: .*/fake\.pdf: 
