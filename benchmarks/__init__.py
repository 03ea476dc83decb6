"""What `make bench` measures: figures, each beside a yardstick of the same run. The product never imports it."""
