^warning: .*repair
