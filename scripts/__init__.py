"""Generators and checks that the Makefile and the tests run."""
