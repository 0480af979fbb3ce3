"""Runs TRELLIS for trellis-server: one process per GPU, spoken to over a socket.

The protocol is in docs/worker-protocol.md. Nothing here imports torch before the socket is open, so that
whatever is wrong with the installation can be reported.
"""
