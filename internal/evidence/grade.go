package evidence

// Grade says how much weight a not_affected statement on this evidence has.
//
//	evidence insufficient                                         none
//
//	ready by               test or exec command   HTTP probes   no exercise
//	input, healthcheck     high                   medium        low
//	ports                  medium                 medium        low
//	job (ended with 0)     high                   medium        low
//	running                low                    low           low
//
// A service that merely stayed up for the window has shown little, and so has a
// program that ended with 0 for want of work: without an exercise neither says
// that it was used as it is meant to be. Exercises that did not pass make the
// evidence insufficient (E5).
func Grade(e Evidence, checks []Check) Confidence {
	if !Sufficient(checks) {
		return ConfidenceNone
	}
	command, probe := false, false
	for _, x := range e.Exercise {
		switch {
		case !x.Passed:
		case x.Kind == "http-probe":
			probe = true
		case x.Kind == "test-command" || x.Kind == "exec-command":
			command = true
		}
	}
	job := e.Window.Stopped == StopJobDone
	strong := job || e.Workload.ReadyBy == ReadyInput || e.Workload.ReadyBy == ReadyHealthcheck
	switch {
	case strong && command:
		return ConfidenceHigh
	case strong && probe:
		return ConfidenceMedium
	case e.Workload.ReadyBy == ReadyPorts && (command || probe):
		return ConfidenceMedium
	}
	return ConfidenceLow
}
