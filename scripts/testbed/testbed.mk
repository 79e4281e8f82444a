# The test bed: see scripts/testbed/README.md. The Makefile includes this file.
.PHONY: testbed

testbed:
	scripts/testbed/build.sh
