//! Whole-house tests: the gateway's program between a raw client and a scripted upstream. All of it is in `tests/house`.
