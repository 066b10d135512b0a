^missing +web +search engines that are not set up: .*brave \(set BRAVE_API_KEY\)
^broken +kiwix +http://127.0.0.1:1/search: .*connect
