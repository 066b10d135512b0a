^error: .*out: 
