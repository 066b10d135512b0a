^error: .*\.pdf: the reader process died on this file \(signal 11: an internal fault\)$
