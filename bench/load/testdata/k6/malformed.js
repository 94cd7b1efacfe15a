export default function () { this is not JavaScript }
