^error: empty: the library is empty: bring documents into it with lode index$
