^closest: 
