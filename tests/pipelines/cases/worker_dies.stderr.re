^error: .*\.pdf: the reader process died on this file \(signal 9: out of memory, or an internal fault\)$
