{ name: 'b', value:: 0.1, /*/ odd /*/ shown: true }
