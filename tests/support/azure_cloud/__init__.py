"""An emulation of Azure for the two SDKs: a control plane on loopback.

`Cloud` (cloud.py) is a CONNECT proxy that ends TLS itself, so the SDKs can use the real host names. Each host is a
module: login.py (AAD), arm.py (workspaces, managed online endpoints, their assets), mms.py (discovery and model
management of SDK v1), jobs.py (AutoML's computes, jobs, trials and their files), storage.py (blobs, artifacts),
scoring.py (the endpoints themselves). Changes by a request persist (state.py), and every request is recorded for the
tests. A request to a host that is not emulated is refused, and the test fails.
"""
