^error: .*glyphs\.pdf: .*out/glyphs: 
