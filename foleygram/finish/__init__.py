"""Beyond the paper: what a decoded sound still lacks, measured on a reference sound or a remembered one, and given to it."""
