"""What `dev.py` is made of: environment, embedded servers, processes. The product never imports it."""
