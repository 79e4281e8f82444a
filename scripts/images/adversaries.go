package main

// adversaries are images that make observation hard.
func adversaries() []fixture {
	return nil
}
