"""Settings become objects, objects become tasks.

prepare.py   a loaded configuration -> a Gate: everything compiled, every credential opened
run.py       the process: sockets, nurseries, signals, reload, the order of shutting down
"""
