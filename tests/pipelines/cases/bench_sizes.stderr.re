^error: --depth: 0,2048,512: up to 16 rising numbers of 0 to 1048576
