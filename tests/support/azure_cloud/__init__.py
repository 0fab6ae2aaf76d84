"""An emulation of Azure for the two SDKs: a control plane on loopback.

`Cloud` (cloud.py) is a CONNECT proxy that ends TLS itself, so that the SDKs speak to the hosts that they know by name;
each host is a module: login.py (AAD), arm.py (workspaces, managed online endpoints, their assets), discovery and model
management of SDK v1 in mms.py, AutoML's computes, jobs, trials and their files in jobs.py, storage.py (blobs, artifacts), scoring.py (the endpoints themselves). What a request
changes stays changed (state.py), every request is kept for the tests to look at, and a host that nobody plays is
refused and fails the test.
"""
