"""Settings become objects, objects become tasks and processes.

prepare.py      a loaded configuration -> a Gate: everything compiled, every credential opened
contents.py     patterns and paths of masking and detection, each tried where it stands
reveal.py       what opens the tokens of a route, and nothing besides
run.py          in one process, or in many
single.py       the one process: notary, doors, connections, listeners
supervisor.py   the many, as one program: doors, reload, the order of ending
signals.py      what signals ask of either form; lastly.py ends it whatever happens
family.py       its children: started, replaced, drained
wiring.py       which notary knows of which workers
brood.py        whose parent the supervisor is, and the end of those that it did not start
launch.py       how a child begins: forked (spawn.py) by a launcher (launcher.py), and handed what
                it needs
child.py        one child (process.py) and the line to it (control.py, bundle.py); line.py is the
                child's end
worker.py       a child that carries transfers
notary.py       the child that writes the log
reloader.py     another configuration comes into force: asked for, or seen on the disk (watch.py,
                inotify.py); references.py says what stands in other files
lint.py         all that `lockgate check` warns of
lists.py        which revocation lists are not fresh; anchors.py which authorities are of no use
carrier.py      accept, serve, adopt a configuration, drain
witness.py      a small witness of other gateways' logs, by itself
sockets.py      one SO_REUSEPORT socket per listener and worker
system.py       what the system has to have
privileges.py   whom the processes run as
"""
