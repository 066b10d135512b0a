\Aerror: .*/cut_short\.pdf: .*\n\Z
