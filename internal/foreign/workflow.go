package foreign

// WorkflowData encodes t as the data of a GitHub workflow command, the part
// after the second "::" (percent escapes of @actions/core, command.ts).
func (t Text) WorkflowData(max int) string {
	return t.encode(max, func(u unit) string {
		if u.r == '%' {
			return "%25"
		}
		return u.visible()
	})
}

// WorkflowProperty encodes t as the value of a property of a GitHub workflow
// command, such as the title of an annotation.
func (t Text) WorkflowProperty(max int) string {
	return t.encode(max, func(u unit) string {
		switch u.r {
		case '%':
			return "%25"
		case ':':
			return "%3A"
		case ',':
			return "%2C"
		}
		return u.visible()
	})
}
