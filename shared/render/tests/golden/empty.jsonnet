{ object: {}, array: [], "null": null, "true": true, "false": false, string: "", nested: [[], {}, [[]], [{}]] }
