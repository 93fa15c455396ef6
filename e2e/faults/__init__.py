"""The fault matrix: `make faults`, or `make faults ROW=name` (shell patterns, and several names).

Each row starts from a running system, has a steady stream of orders posted, does one thing to it
while they flow, and then waits until all is quiet. Whatever was done: every order that was answered
with 201 is confirmed, none changed its status twice, each message has one result, and no row is
left unfinished. The rows are functions in the modules `of_…`; the other modules they stand on.
"""
