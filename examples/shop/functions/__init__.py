"""The shop's functions, which AWS Lambda runs. In their package is the folder `shop` too."""
