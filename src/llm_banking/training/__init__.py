"""Training, stood beside the serving code: nothing but the command line imports it (extra `train`)."""
