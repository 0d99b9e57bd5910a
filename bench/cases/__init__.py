"""The rows of bench/run. Each module has rows(): name -> (title, function of a Machine that measures and returns plain data)."""
