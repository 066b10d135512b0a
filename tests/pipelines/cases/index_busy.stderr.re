^error: 
