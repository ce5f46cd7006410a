"""What pods share, as the store has it: the verbs of each subject (`proxy/state/store.py`).

One file is one subject, and its essay says why it is right. The part of a pod that asks them lies
beside this folder; begin there for what a pod does, and here for what pods agree on:

| verbs                  | asked by                                     |
| ---------------------- | -------------------------------------------- |
| `fleet`                | `proxy/sharing.py`, `link.py`                |
| `money`, `holds`       | `leases.py`, `share.py`, `proxy/reconcile.py` |
| `rates`                | `fleet_cells.py`, `fleet_cell.py`, `leased.py` |
| `circuits`             | `fleet_circuits.py`, `fleet_circuit.py`      |
| `kills`                | `fleet_kills.py`, `throws.py`                |
| `asks`                 | `asks.py`, `elsewhere.py`, `words.py`        |
| `waits`                | `waits.py`                                   |
| `sums`                 | `fleet_sums.py`                              |

A verb `NewX` asks what has come since a number; `TellX` tells what may be forgotten there. What a
script finds in ARGV is what `args` of its verb gives, in that order.

**Keys.** Under what `redis.py` has them begin with; D is a digest (`names.py`), P the id of a pod.
In a `Memory` they have the same names, but for hashes and sets of one thing, which are one value
there.

| key                         | type   | what is there                                     |
| --------------------------- | ------ | ------------------------------------------------- |
| `pods`                      | hash   | P: its life, mark and name                        |
| `live`                      | zset   | P, by its last beat (milliseconds)                |
| `gathered`                  | set    | P that have told what they hold, in this epoch    |
| `epoch`                     | hash   | its number, of which life of the server, is it open |
| `numbers`                   | hash   | P: life and number of what it said last of money  |
| `left:P`                    | string | it has left a moment ago                          |
| `line:D`                    | hash   | of a limit: spent (`s:P`, `f:P`), held (`h:P`), sums |
| `lines:P`                   | set    | the lines on which it stands                      |
| `departed`, `departures`    | zset, number | lines that changed as pods left, in that order |
| `recall:line:D`             | string | pods were just asked to give back                 |
| `once:D`                    | string | it was done                                       |
| `rate:D`                    | hash   | a cell                                            |
| `circuit:D`, `votes:D`      | hash   | a circuit; P: its vote                            |
| `circuits`, `circuits.stamp` | zset, number | circuits by their last change; that number   |
| `kills`, `kills:numbers`    | hash, zset | scope: its word; scopes by their last change  |
| `board:P`, `shown:P`        | hash   | requests that wait at P; their exact calls        |
| `boards`                    | zset   | P, by when its board ends                         |
| `box:P`, `box:WORD`         | hash   | what is said to P; what it answers to one word    |
| `wait:D`                    | hash   | the calls of one work that are under way          |
| `sums:D:M`                  | hash   | of a minute M: sums (`=NAME`), what each process said |
| `sums:D`                    | zset   | P, by the newest minute of which it told          |

**Topics**, all in the one channel `news`: `money` (lines of which somebody needs more),
`circuits` (views), `kills` (words), `asks` (boxes in which something lies). Whatever is published
is asked for as well: it may get lost.
"""
