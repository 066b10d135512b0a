"adjacency_list":\{"root":\[\{"id":"n1","name":"n1","state":3\}
"event":"done"
"stream_state":0
